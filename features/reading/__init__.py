"""Files to uint8 grey images: decode, check, resize."""
