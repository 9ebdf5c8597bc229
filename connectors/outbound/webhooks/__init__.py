"""Webhooks: the outbound topics, for consumers without Kafka.

subscriptions  who hears what: a file, a filter language          (subscription_file, filter_syntax, filter_meaning)
messages       a record becomes a message per subscription        (messages, signing)
queue          ops.webhook_*, in the transaction that moves on    (queue, reading)
deliveries     per ticket in order, retries, a circuit each       (retry, circuit, addresses, posting, delivering)
"""
