"""SCPO: policies improved by sampled perturbations of their weights and projected steps."""
