"""The best recipe for one's own data: fields of a recipe are searched for the values that serve best."""
