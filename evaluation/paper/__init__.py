"""The reproduction of the paper and its report."""
