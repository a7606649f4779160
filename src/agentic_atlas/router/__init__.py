"""Where agents connect: registers them, delivers tasks under leases, forwards what they say. Knows no database.

`hub` knows who is connected, `placement` chooses an instance, `presence` keeps leases, `delivery` knows what is in
flight: pure, with the clock passed in. `router` joins them, and `door` decides who is let in.
"""
