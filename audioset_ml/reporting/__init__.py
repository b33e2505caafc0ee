"""Pages, texts and figures of what the other folders read and measure."""
