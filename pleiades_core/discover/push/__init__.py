"""Push: subscribing to channels at YouTube's WebSub hub, and receiving its notices into the inbox.

The way a notice takes: subscriptions (whom the hub is asked for) → callbacks (the address and secret of each) → listening (the
server) and connections (their time-outs) → receiver (what a call means) → notices (durable in table `inbox`). The hunt takes it
from there (discover/inbox.py).
"""
