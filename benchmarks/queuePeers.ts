import { jetstream, jetstreamManager } from "@nats-io/jetstream"
import { connect, headers } from "@nats-io/transport-node"
import amqplib from "amqplib"
import { DatabaseSync } from "node:sqlite"
import { createClient } from "redis"

/** What a program does with one queue that has the driver of its server and nothing else. */
export interface QueuePeer {
  /** Publishes them as JSON, in portions, and goes on when each portion is confirmed. */
  readonly produce: (values: ReadonlyArray<unknown>) => Promise<void>
  /** Takes so many messages, with what their JSON says, and is done when all of them are acknowledged. */
  readonly consume: (count: number, take: (value: unknown) => void) => Promise<void>
  /** Without the queue. */
  readonly close: () => Promise<unknown>
}

/** How many messages go with one call, where the driver has a call for many; and how many the server may send ahead. */
export interface Portions {
  readonly portion: number
  readonly ahead: number
}

const ours = { group: "rtfs-streams", type: "application/json" }

const utf8 = new TextDecoder()

/** Keys as long as ours. */
let ordinal = 0
const keyOf = () => `program-1/queue-produce-1/00000000-0000-0000-0000-${process.pid}/${++ordinal}`

const portionsOf = function* <A>(all: ReadonlyArray<A>, size: number): Generator<ReadonlyArray<A>> {
  for (let at = 0; at < all.length; at += size) yield all.slice(at, at + size)
}

/** Reads and acknowledges a portion with a command for each of the three steps. */
export const redisPeer = async (url: string, queue: string, { portion }: Portions): Promise<QueuePeer> => {
  const client = createClient({ url, RESP: 2 })
  await client.connect()
  return {
    produce: async (values) => {
      for (const some of portionsOf(values, portion)) {
        await Promise.all(
          some.map((value) =>
            client.sendCommand([
              "XADD",
              queue,
              "*",
              "key",
              keyOf(),
              "body",
              JSON.stringify(value),
              "type",
              ours.type,
              "headers",
              "{}",
              "time",
              `${Date.now()}`
            ])
          )
        )
      }
    },
    consume: async (count, take) => {
      for (let at = 0; at < count;) {
        const command = ["XREADGROUP", "GROUP", ours.group, "bench", "COUNT", `${portion}`, "BLOCK", "1000", "STREAMS", queue, ">"]
        const reply = (await client.sendCommand(command)) as unknown as [[string, ReadonlyArray<[string, ReadonlyArray<string>]>]]
        const entries = reply[0][1]
        for (const [, fields] of entries) take(JSON.parse(fields[fields.indexOf("body") + 1]!))
        const ids = entries.map(([id]) => id)
        await Promise.all([client.sendCommand(["XACK", queue, ours.group, ...ids]), client.sendCommand(["XDEL", queue, ...ids])])
        at += ids.length
      }
    },
    close: async () => {
      client.destroy()
    }
  }
}

/** The client's own loop over messages, each acknowledged by itself. */
export const natsPeer = async (url: string, queue: string, { portion }: Portions): Promise<QueuePeer> => {
  const connection = await connect({ servers: new URL(url).host })
  const client = jetstream(connection)
  const { config } = await (await jetstreamManager(connection)).streams.info(queue)
  return {
    produce: async (values) => {
      for (const some of portionsOf(values, portion)) {
        const sent = some.map((value) => {
          const fields = headers()
          fields.set("Content-Type", ours.type)
          return client.publish(config.subjects[0]!, JSON.stringify(value), { headers: fields, msgID: keyOf() })
        })
        await Promise.all(sent)
      }
    },
    consume: async (count, take) => {
      const consumer = await client.consumers.get(queue, ours.group)
      const messages = await consumer.consume({ max_messages: portion })
      let at = 0
      for await (const message of messages) {
        take(message.json())
        message.ack()
        if (++at === count) break
      }
      await connection.flush()
    },
    close: () => connection.close()
  }
}

/** A callback for each message, each acknowledged by itself. */
export const rabbitPeer = async (url: string, queue: string, { ahead, portion }: Portions): Promise<QueuePeer> => {
  const connection = await amqplib.connect(url)
  const publishing = await connection.createConfirmChannel()
  return {
    produce: async (values) => {
      for (const some of portionsOf(values, portion)) {
        for (const value of some)
          publishing.sendToQueue(queue, Buffer.from(JSON.stringify(value)), {
            persistent: true,
            contentType: ours.type,
            messageId: keyOf(),
            timestamp: Math.floor(Date.now() / 1000),
            headers: { "sent-at": `${Date.now()}` }
          })
        await publishing.waitForConfirms()
      }
    },
    consume: async (count, take) => {
      const channel = await connection.createChannel()
      await channel.prefetch(ahead)
      let at = 0
      const { promise, resolve } = Promise.withResolvers<void>()
      const { consumerTag } = await channel.consume(queue, (message) => {
        take(JSON.parse(message!.content.toString()))
        channel.ack(message!)
        if (++at === count) resolve()
      })
      await promise
      // The server buffers acknowledgements for a quorum queue, and forgets those with a channel that is closed too early.
      await channel.cancel(consumerTag)
      await channel.checkQueue(queue)
      await channel.close()
    },
    close: () => connection.close()
  }
}

/** Our table by hand: statements prepared once, a transaction for each portion, durable when it is done. */
export const sqlitePeer = (file: string, queue: string, { portion }: Portions): QueuePeer => {
  const database = new DatabaseSync(file)
  database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL")
  database.exec(
    "CREATE TABLE IF NOT EXISTS messages (id INTEGER PRIMARY KEY AUTOINCREMENT, queue TEXT NOT NULL, visible REAL NOT NULL, attempts INTEGER NOT NULL, "
      + "time REAL NOT NULL, type TEXT NOT NULL, headers TEXT NOT NULL, body BLOB NOT NULL);"
      + "CREATE INDEX IF NOT EXISTS messages_due ON messages (queue, visible, id);"
      + "CREATE TABLE IF NOT EXISTS message_keys (id INTEGER PRIMARY KEY AUTOINCREMENT, queue TEXT NOT NULL, key TEXT NOT NULL, UNIQUE (queue, key))"
  )
  const claim = database.prepare(
    "UPDATE messages SET visible = ?, attempts = attempts + 1 WHERE id IN (SELECT id FROM messages WHERE queue = ? AND visible = 0 ORDER BY id LIMIT ?) RETURNING *"
  )
  const remove = database.prepare("DELETE FROM messages WHERE id = ? AND attempts = ?")
  const note = database.prepare("INSERT OR IGNORE INTO message_keys (queue, key) VALUES (?, ?)")
  const insert = database.prepare("INSERT INTO messages (queue, visible, attempts, time, type, headers, body) VALUES (?, 0, 0, ?, ?, ?, ?)")
  const within = <A>(body: () => A): A => {
    database.exec("BEGIN IMMEDIATE")
    const result = body()
    database.exec("COMMIT")
    return result
  }
  return {
    produce: async (values) => {
      for (const some of portionsOf(values, portion)) {
        within(() => {
          for (const value of some) {
            const key = keyOf()
            if (note.run(queue, key).changes > 0)
              insert.run(queue, Date.now(), ours.type, JSON.stringify({ "message-key": key }), Buffer.from(JSON.stringify(value)))
          }
        })
        await new Promise(setImmediate)
      }
    },
    consume: async (count, take) => {
      for (let at = 0; at < count;) {
        const rows = within(() => claim.all(Date.now() + 30_000, queue, portion))
        for (const { body } of rows) take(JSON.parse(utf8.decode(body as Uint8Array)))
        within(() => {
          for (const { attempts, id } of rows) remove.run(id!, attempts!)
        })
        at += rows.length
        await new Promise(setImmediate)
      }
    },
    close: async () => database.close()
  }
}

export const removeRedisQueue = async (url: string, queue: string): Promise<void> => {
  const client = createClient({ url, RESP: 2 })
  await client.connect()
  for await (const keys of client.scanIterator({ MATCH: `${queue}*`, COUNT: 1000 })) if (keys.length > 0) await client.del(keys)
  client.destroy()
}

export const removeNatsQueue = async (url: string, queue: string): Promise<void> => {
  const connection = await connect({ servers: new URL(url).host })
  await (await jetstreamManager(connection)).streams.delete(queue)
  await connection.close()
}

export const removeRabbitQueue = async (url: string, queue: string): Promise<void> => {
  const connection = await amqplib.connect(url)
  await (await connection.createChannel()).deleteQueue(queue)
  await connection.close()
}
