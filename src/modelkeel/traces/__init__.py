"""What programs did inside: traces of spans, and what people and judges say of them."""
