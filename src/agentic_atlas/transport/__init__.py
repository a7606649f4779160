"""WebSockets, as both ends need them: listening, dialling, frames, limits, deadlines, TLS.

`websocket` is one open connection and the same for whoever opened it; `server` listens, `client` dials. What they do
with the library under them, picows, is written once, and here is why. It is fast because it leaves much to its user:

- It hands out fragments raw. `frames` puts them together within limits of size and number, a `WebSocket` within a time.
- It knows neither the reserved bits nor the end of a conversation. After a close nothing is sent or handed on, and a
  peer that does not take part in the close is cut off.
- It finds some broken frames by itself, sends its close and waits for ever: `WebSocket.look` notices that. It does not
  hand out the frame before a broken one that came in the same read.
- It answers pings without bound, so its answers are off and pings are counted and answered here.
- Memory that it hands out is overwritten by the next frame, so payloads are copied before anything looks at them. Its
  `send` gives a long message to uvloop as a view of a buffer that the next frame overwrites, so each is sent from a
  buffer of its own, with room for the frame's head in front.
- It goes to the system for each frame: what a server sends in one turn of the loop is gathered and written here, where
  it is short.
- Its read buffer begins as large as it is told, doubles for a long frame and never shrinks: it begins small.
- It answers a malformed head itself, and quotes it, token included. On a server the head is read by `head`, and picows
  sees one that was written here. On a client it follows redirects with the token: none is followed.
- Its log holds heads at low levels, and it makes a logger for each connection: it is given one that keeps nothing.
- Its enumeration of close codes names only those of the standard, and its stubs call numbers enumerations; it takes and
  gives any number.
- Its public server can neither count a connection before its request nor tell its address, so `server` derives from
  the protocol class that is not exported. A version with another constructor fails when the server starts.
- What it finds wrong on a client is raised where the end is waited for (`WebSocket.ended`).
- On a client it may use another transport for TLS when that is installed, which reports a failed handshake to the loop
  as well, in a form nothing can print: it is told not to.
"""
