"""Where agents connect: registers them, delivers tasks under leases, forwards what they say. Knows no database.

`hub` knows who is connected and `leases` what an instance keeps while it is away, pure, with the clock passed in;
`entrance` and `handshake` decide who is let in at the `door`. A `connection` is driven here from its handshake to its
end, an `agent` from its `welcome`; `router` joins them, and does what the backend says.
"""
