"""The two pipes to a daemon that does not do its part."""

import json
import os
import threading
import time
import unittest

from kozo.connection import MAX_UNWRITTEN, MAX_WAITING_FOR_ANSWER, Connection
from kozo.errors import Error

DEADLINE = 120


class ConnectionTest(unittest.TestCase):
    def test_the_reader_reads_on_while_nobody_reads_what_was_sent(self):
        incoming, daemon = os.pipe()
        unread, outgoing = os.pipe()
        with os.fdopen(daemon, "wb") as daemon, os.fdopen(unread, "rb") as unread:


            def say(line):
                daemon.write(json.dumps(line).encode() + b"\n")

            say({"hello": 1, "node": "hall", "role": "door", "options": {}})
            daemon.flush()
            connection = Connection(incoming, outgoing)
            connection.greet()

            def asking():
                with self.assertRaises(Error):
                    connection.request({"load": True}, DEADLINE)

            def flooding():
                # More than is written while nobody reads: at last it waits.
                for _ in range(4):
                    connection.send({"event": "x", "data": "x" * MAX_UNWRITTEN})

            threads = [threading.Thread(target=work, daemon=True) for work in (asking, flooding)]
            threads[0].start()
            deadline = time.monotonic() + DEADLINE
            while not connection._answers:
                self.assertLess(time.monotonic(), deadline)
            threads[1].start()
            while connection._writer._size <= MAX_UNWRITTEN:
                self.assertLess(time.monotonic(), deadline)

            message = {"event": "e", "data": None, "node": "clock", "role": "timer", "age": 0, "time": 0}

            def telling():
                for _ in range(MAX_WAITING_FOR_ANSWER + 1000):
                    say(message)
                say({"stop": True})
                daemon.flush()

            threads.append(threading.Thread(target=telling, daemon=True))
            threads[2].start()
            while not connection.stopping:
                self.assertLess(time.monotonic(), deadline, "the order to stop was not read")
                time.sleep(0.01)
            self.assertEqual(connection._dropped, 1000)
            # Whoever reads it now lets all of them go on.
            reading = threading.Thread(target=unread.read, daemon=True)
            reading.start()
            for thread in threads[1:]:
                thread.join(DEADLINE)
            daemon.close()
            threads[0].join(DEADLINE)
            connection.close()
            os.close(outgoing)
            reading.join(DEADLINE)


if __name__ == "__main__":
    unittest.main()
