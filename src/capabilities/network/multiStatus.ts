import { NetworkFailure } from "./errors.ts"

/**
 * The status of each item in the answer 207 to a batch: a vector as long as the batch, itself or under `results`, `items`,
 * `responses` or `data`, of statuses or of maps with a `status`.
 *
 * **Fails** by throwing `NetworkFailure` where the answer is none of that: then nobody knows which items arrived.
 */
export const itemStatuses = (body: unknown, items: number, url: string): ReadonlyArray<number> => {
  const list = Array.isArray(body)
    ? body
    : ["results", "items", "responses", "data"].map((name) => own(body, name)).find((value) => Array.isArray(value))
  const statuses = Array.isArray(list) ? list.map(statusOf) : []
  if (statuses.length === items && statuses.every((status) => status !== undefined)) return statuses
  throw new NetworkFailure({
    url,
    operation: "use the answer of",
    problem: "its status is 207, but it does not name a status for each item",
    fix: "Understood is a vector of maps with a status, itself or under results, items, responses or data.",
    status: 207
  })
}

const statusOf = (entry: unknown): number | undefined => {
  const status = typeof entry === "object" ? (own(entry, "status") ?? own(entry, "statusCode") ?? own(entry, "code")) : entry
  return typeof status === "number" && Number.isInteger(status) && status >= 100 && status <= 599 ? status : undefined
}

const own = (value: unknown, name: string): unknown =>
  typeof value === "object" && value !== null && Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined
