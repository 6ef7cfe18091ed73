"""A webhook tells when a run has ended, and the program checks who sent that.

WEBHOOK_URL is where the service reaches this program, such as the address of a tunnel to its PORT.
"""

import base64
import hashlib
import hmac
import json
import os
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

from google import genai


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        body, sent_at = self.rfile.read(int(self.headers["content-length"])), self.headers["webhook-timestamp"]
        signed = f"{self.headers['webhook-id']}.{sent_at}.".encode() + body
        wanted = "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
        genuine = any(hmac.compare_digest(one, wanted) for one in self.headers["webhook-signature"].split())
        genuine = genuine and abs(time.time() - int(sent_at)) < 300
        self.send_response(204 if genuine else 401)
        self.end_headers()
        print(json.loads(body)["type"] if genuine else "forged")


client = genai.Client()
port = int(os.environ.get("PORT", "8099"))
server = HTTPServer(("127.0.0.1", port), Receiver)
uri = os.environ.get("WEBHOOK_URL", f"http://127.0.0.1:{port}/")
hook = client.webhooks.create(uri=uri, subscribed_events=["interaction.completed", "interaction.failed"])
key = base64.b64decode(hook.new_signing_secret.removeprefix("whsec_"))
try:
    client.interactions.create(model="gemini-3.8-flash", input="Think it over.", background=True)
    server.handle_request()
finally:
    client.webhooks.delete(id=hook.id)
