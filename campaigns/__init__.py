"""Attacks on the promises of the time-lapse, each repeatable from its seed.

``python -m campaigns`` runs them at full length and writes what they found into
``docs/reliability.md``; the tests in ``tests/campaigns`` run short ones.
"""
