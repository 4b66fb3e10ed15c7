"""What a result folder holds: records, their columns, the table and its words."""
