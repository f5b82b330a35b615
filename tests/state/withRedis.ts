import { createClient } from "redis"

/** Does something with a client of its own. Fails at once where there is no server. */
export const withRedis = async <A>(url: string, body: (client: ReturnType<typeof createClient>) => Promise<A>): Promise<A> => {
  const client = createClient({ url, socket: { connectTimeout: 2000, reconnectStrategy: false } })
  client.on("error", () => {})
  try {
    await client.connect()
    return await body(client as never)
  } finally {
    client.destroy()
  }
}
