"""People review what the language model judged."""
