"""The numbers an engine runs with: sizes, budgets, rates seen and calibrations read."""
