"""A decoder put to work: new samples, what lies between and beside real ones, and how good new samples are."""
