"""Model cards: what exported models are made of and how good they are."""
