import base64
import http.server
import json
import threading

import pytest

from pipeline import demo_requests


class Handler(http.server.BaseHTTPRequestHandler):
    status = 200

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        rows = [
            {"image_bytes": {"b64": base64.b64encode(f"{row['label']}/{row['seed']}".encode()).decode()}}
            for row in asked["instances"]
        ]
        body = json.dumps({"predictions": rows} if self.status == 200 else {"error": "no such model"}).encode()
        self.send_response(self.status)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *unused):
        pass


@pytest.fixture
def port():
    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def test_rest_answers_are_decoded_in_their_order(port):
    assert demo_requests.ask_rest(port, [3, 1], [7, 8]) == [b"3/7", b"1/8"]


def test_rest_error_carries_the_servers_words(port, monkeypatch):
    monkeypatch.setattr(Handler, "status", 404)
    with pytest.raises(ValueError, match=r"REST answered 404.*no such model"):
        demo_requests.ask_rest(port, [0], [0])


def test_answers_say_whether_both_ways_agree():
    assert demo_requests.Answers(80, 10, True).describe().endswith("10 over REST: the same bytes.")
    assert "NOT the same" in demo_requests.Answers(80, 10, False).describe()


def test_rows_have_the_names_of_the_newest_version(tmp_path):
    for version, names in (("9", ["disc"]), ("10", ["disc", "star"])):
        (tmp_path / version / "assets").mkdir(parents=True)
        labels = [{"synset": name, "name": name} for name in names]
        (tmp_path / version / "assets" / "labels.json").write_text(json.dumps(labels))
    assert demo_requests._names(tmp_path) == ["disc", "star"]
