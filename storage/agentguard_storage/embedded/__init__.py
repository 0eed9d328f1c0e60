"""ClickHouse on one machine: chDB's engine in a process of its own, behind ClickHouse's HTTP.

Run it with `python -m agentguard_storage.embedded --data-dir DIR`; talk to it with any
ClickHouse client. `agentguard_storage.embedded.credentials` holds what a client needs.
"""
