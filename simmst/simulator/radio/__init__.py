"""Radio: links, who serves which square, and path gains from outside."""
