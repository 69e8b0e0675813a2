"""A board behind SSH: what travels to it, what answers there, and the connection between them."""
