"""What a car perceives: one file a sensor, each a kernel over a batch of cars. Physics knows none of them."""
