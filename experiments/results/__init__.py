"""The result folder as a sweep writes it: records, plan, failures, lock."""
