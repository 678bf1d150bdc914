"""A kernel connection without Nagle's delay, for `pusherkit lab`.

Jupyter Server leaves Nagle's algorithm on for the WebSocket between browser and kernel. A key
press in a widget is a small message that then waits for the acknowledgement of the one before it,
about 40 ms. JupyterLab names this class on its command line; nothing here imports it.
"""

from jupyter_server.services.kernels.connection.channels import ZMQChannelsWebsocketConnection


class NoDelayConnection(ZMQChannelsWebsocketConnection):
    """Jupyter Server's own connection; it only sends small messages at once."""

    def connect(self) -> object:  # type: ignore[override]  # its own annotation is missing
        self.websocket_handler.set_nodelay(True)
        return super().connect()
