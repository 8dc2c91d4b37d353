"""Market-data vendors: flat files and REST."""
