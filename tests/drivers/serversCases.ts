import type { ServerName } from "./serversKinds.ts"
import type { ServerRunReport } from "./serversRuns.ts"
import { brokenMessage, ids, type Scenario } from "./serversStreams.ts"

/** Which server is used for what. */
export const serverCases: ReadonlyArray<{ readonly server: ServerName; readonly scenario: Scenario }> = [
  { server: "postgres", scenario: "query" },
  { server: "mariadb", scenario: "query" },
  { server: "postgres", scenario: "insert" },
  { server: "mariadb", scenario: "insert" },
  { server: "postgres", scenario: "store" },
  { server: "redis", scenario: "store" },
  { server: "redis", scenario: "queue" },
  { server: "nats", scenario: "queue" },
  { server: "rabbitmq", scenario: "queue" }
]

/** @returns the promises that were not kept */
export const promises = (report: ServerRunReport): ReadonlyArray<string> => {
  const {
    brokenMessages,
    deadLetters,
    expectedDeadLetters,
    failures,
    items,
    killedProcesses,
    killedServers,
    left,
    lost,
    repeated,
    repeatedLetters,
    scenario,
    server,
    stalls,
    unseenOutages
  } = report
  const broken: Array<string> = [...failures]
  const hold = (isKept: boolean, what: string) => void (isKept || broken.push(what))
  hold(lost === 0, `${lost} lost`)
  // What a killed process had begun comes again. A server that is killed repeats nothing, but for RabbitMQ, which does not drop
  // what is published again because nobody heard that it was taken: four batches of 20.
  const publishedTwice = server === "rabbitmq" && scenario === "queue" ? 4 * 20 * killedServers : 0
  const mostRepeated = scenario === "queue" ? 2 * 1000 * killedProcesses + publishedTwice : 0
  hold(repeated <= mostRepeated, `${repeated} repeated`)
  hold(deadLetters === expectedDeadLetters, `${deadLetters} dead letters instead of ${expectedDeadLetters}`)
  hold(repeatedLetters === 0 || mostRepeated > 0, `${repeatedLetters} dead letters twice`)
  hold(scenario !== "queue" || brokenMessages === ids(items, brokenMessage), `${brokenMessages} unreadable messages`)
  // Nothing is lost, so what is left has been seen: it can only be a message that was published twice, and came after its reader.
  hold(left <= publishedTwice && repeated + left <= mostRepeated, `${left} left in the queue`)
  hold(stalls === 0, `another stream stood still ${stalls} times`)
  hold(unseenOutages === 0, `nothing was said of ${unseenOutages} outages`)
  hold(report.mostMegabytes < 400, `${report.mostMegabytes} MB`)
  return broken
}
