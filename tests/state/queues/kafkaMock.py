"""Brokers of Kafka's protocol on this machine: librdkafka's mock cluster, until standard input ends.

Prints the addresses of its brokers, and then a line for each command that it reads:
  topic NAME PARTITIONS · down BROKER · up BROKER · rtt BROKER MS · leader NAME PARTITION BROKER
  coordinator GROUP BROKER · errors API CODE… (each for the next request of that API) · clear API
"""
import ctypes
import sys

rdkafka = ctypes.CDLL("librdkafka.so.1")
for name in ("rd_kafka_conf_new", "rd_kafka_new", "rd_kafka_mock_cluster_new"):
    getattr(rdkafka, name).restype = ctypes.c_void_p
rdkafka.rd_kafka_mock_cluster_bootstraps.restype = ctypes.c_char_p

problem = ctypes.create_string_buffer(512)
producer = rdkafka.rd_kafka_new(0, ctypes.c_void_p(rdkafka.rd_kafka_conf_new()), problem, ctypes.c_size_t(512))
cluster = ctypes.c_void_p(rdkafka.rd_kafka_mock_cluster_new(ctypes.c_void_p(producer), int(sys.argv[1])))


def act(command, words):
    if command == "topic":
        return rdkafka.rd_kafka_mock_topic_create(cluster, words[0].encode(), int(words[1]), 1)
    if command == "down":
        return rdkafka.rd_kafka_mock_broker_set_down(cluster, int(words[0]))
    if command == "up":
        return rdkafka.rd_kafka_mock_broker_set_up(cluster, int(words[0]))
    if command == "rtt":
        return rdkafka.rd_kafka_mock_broker_set_rtt(cluster, int(words[0]), int(words[1]))
    if command == "leader":
        return rdkafka.rd_kafka_mock_partition_set_leader(cluster, words[0].encode(), int(words[1]), int(words[2]))
    if command == "coordinator":
        return rdkafka.rd_kafka_mock_coordinator_set(cluster, b"group", words[0].encode(), int(words[1]))
    if command == "errors":
        codes = [int(word) for word in words[1:]]
        array = (ctypes.c_int * len(codes))(*codes)
        rdkafka.rd_kafka_mock_push_request_errors_array(
            cluster, ctypes.c_int16(int(words[0])), ctypes.c_size_t(len(codes)), array
        )
        return 0
    if command == "clear":
        rdkafka.rd_kafka_mock_clear_request_errors(cluster, ctypes.c_int16(int(words[0])))
        return 0
    raise ValueError(command)


print(rdkafka.rd_kafka_mock_cluster_bootstraps(cluster).decode(), flush=True)
for line in sys.stdin:
    command, *words = line.split()
    print(act(command, words), flush=True)
