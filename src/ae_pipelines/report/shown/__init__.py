"""What sections are made of: charts, pictures, galleries, words."""
