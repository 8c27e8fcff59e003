"""Files of other programs: their weights, in the names and layouts of this house."""
