"""What a paper needs from a run: tables, references, checklists, MedMNIST's prediction files."""
