"""What card and licence flows share: a flattened scan of a picture, labels, dates, check digits, places."""
