"""Push: subscribing to channels at YouTube's WebSub hub, and receiving its notices into the inbox.

The way of a notice: subscriptions (requests to the hub) → callbacks (address and secret of each channel) → server (HTTP) →
receiver (which call is believed) → inbox_writer (durable in table `inbox`). The hunt takes it from there (discover/inbox.py).
"""
