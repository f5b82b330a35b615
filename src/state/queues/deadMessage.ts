import type { Delivery, NewMessage } from "./QueueBackend.ts"

/** The headers that a message gets when a consumer puts it aside. */
export const deadLetterHeaders = {
  reason: "dead-letter-reason",
  attempts: "attempts",
  queue: "original-queue",
  id: "original-id",
  key: "original-key"
} as const

const keyHeader = "message-key"

/** A message as it stands in the queue of those that were put aside: its body, its headers, and where it is from and why. */
export const deadMessageOf = (
  delivery: Delivery,
  from: { readonly queue: string; readonly why: string; readonly now: number }
): NewMessage => {
  const { attempts, body, contentType = "application/octet-stream", id, time } = delivery
  const { [keyHeader]: key, ...headers } = delivery.headers
  const about = {
    [deadLetterHeaders.queue]: from.queue,
    [deadLetterHeaders.id]: id,
    ...(key === undefined ? {} : { [deadLetterHeaders.key]: key }),
    [deadLetterHeaders.reason]: from.why,
    [deadLetterHeaders.attempts]: String(attempts)
  }
  return { key: `${from.queue}/${id}`, body, contentType, headers: { ...headers, ...about }, time: time ?? from.now }
}

/** Where one that was put aside is from, and its headers there; none of one that was not. */
export const originOf = (
  headers: Delivery["headers"]
): { readonly queue: string; readonly headers: Readonly<Record<string, string>> } | undefined => {
  const { attempts: _, ...rest } = headers
  const { [deadLetterHeaders.queue]: queue, [deadLetterHeaders.reason]: reason, [deadLetterHeaders.key]: key, ...others } = rest
  if (queue === undefined || reason === undefined) return undefined
  const { [deadLetterHeaders.id]: _id, [keyHeader]: _key, ...original } = others
  return { queue, headers: { ...original, ...(key === undefined ? {} : { [keyHeader]: key }) } }
}
