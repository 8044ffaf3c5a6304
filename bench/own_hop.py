# bench/hop_server.cc: our own server as the far end of a hop.
from echo import EchoServer


class OwnHop(EchoServer):
    program = "hop_server"
