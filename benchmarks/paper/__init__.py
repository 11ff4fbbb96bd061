"""Files for a paper: tables, references, checklists, MedMNIST's prediction files."""
