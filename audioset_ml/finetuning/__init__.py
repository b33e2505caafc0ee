"""A folder of recordings, or a table of them, to a fine-tuned and exported model."""
