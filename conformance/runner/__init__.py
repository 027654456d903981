"""One case against any target: order, time, settling, waivers."""
