"""Methods of others, as sources of task policies: SCPO and PreSa."""
