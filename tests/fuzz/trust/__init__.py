"""Random bi-level problems whose answers are known from elsewhere, and judges of what the library says of them."""
