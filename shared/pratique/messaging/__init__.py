"""Message brokers: RabbitMQ and the embedded queue, behind one interface and one contract suite."""
