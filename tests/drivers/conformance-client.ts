// A StreamHost as the client of the official conformance suite. The suite starts it once for each scenario:
//   conformance client --command "node tests/drivers/conformance-client.ts" --scenario auth/metadata-default
import { type HostOptions, type McpServerOptions, StreamHost } from "../../src/index.ts"

const scenario = process.env["MCP_CONFORMANCE_SCENARIO"] ?? ""
const context = JSON.parse(process.env["MCP_CONFORMANCE_CONTEXT"] ?? "{}") as Record<string, any>
const url = process.argv.at(-1)!

type Auth = NonNullable<McpServerOptions["auth"]>

/** What a user would have configured, given what the scenario tells its client. */
const authOf = (): Auth | undefined => {
  const clientId = context["client_id"] as string
  const issuer = context["issuer"] === undefined ? {} : { issuer: context["issuer"] as string }
  switch (scenario) {
    case "auth/client-credentials-basic":
      return { type: "client-credentials", clientId, clientSecret: "{{secret:CLIENT}}" }
    case "auth/client-credentials-jwt":
      return { type: "client-credentials", clientId, privateKey: "{{secret:KEY}}", algorithm: context["signing_algorithm"] as string }
    case "auth/cross-app-access-complete-flow":
    case "auth/enterprise-managed-authorization":
      return {
        type: "enterprise-managed",
        clientId,
        clientSecret: "{{secret:CLIENT}}",
        identityProvider: {
          tokenEndpoint: context["idp_token_endpoint"] as string,
          clientId: context["idp_client_id"] as string,
          idToken: "{{secret:ID_TOKEN}}"
        }
      }
    case "auth/wif-jwt-bearer":
      return { type: "jwt-bearer", clientId, assertion: "{{secret:JWT}}" }
    case "auth/pre-registration":
      return { type: "authorization-code", clientId, clientSecret: "{{secret:CLIENT}}", ...issuer }
    default:
      return scenario.startsWith("auth/")
        ? { type: "authorization-code", clientMetadataUrl: "https://conformance-test.local/client-metadata.json" }
        : undefined
  }
}

/** Tools, and with what they are called. */
const callsOf = (): ReadonlyArray<readonly [tool: string, args: object]> => {
  switch (scenario) {
    case "tools_call":
      return [["add_numbers", { a: 5, b: 3 }]]
    case "elicitation-sep1034-client-defaults":
      return [["test_client_elicitation_defaults", {}]]
    case "sse-retry":
      return [["test_reconnection", {}]]
    case "sep-2322-client-request-state":
      return ["test_mrtr_echo_state", "test_mrtr_unrelated", "test_mrtr_no_state", "test_mrtr_no_result_type"].map((tool) => [tool, {}])
    case "http-custom-headers":
      return (context["toolCalls"] as ReadonlyArray<{ name: string; arguments: object }>).map((one) => [one.name, one.arguments])
    case "http-invalid-tool-headers":
      return [["valid_tool", { region: "us-west1" }]]
    case "http-standard-headers":
      return ["test_headers", "my-hyphenated-tool"].map((tool) => [tool, {}])
    default:
      return [["test-tool", {}]]
  }
}

const secrets: ReadonlyArray<readonly [name: string, value: unknown]> = [
  ["CLIENT", context["client_secret"]],
  ["KEY", context["private_key_pem"]],
  ["ID_TOKEN", context["idp_id_token"]],
  ["JWT", context["valid_jwt"]]
]

const auth = authOf()
const options: HostOptions = {
  print: () => {},
  mcpServers: { default: { url, ...(auth === undefined ? {} : { auth }) } },
  policy: { net: ["localhost:*"] },
  secrets: Object.fromEntries(secrets.filter(([, value]) => typeof value === "string")) as Record<string, string>,
  // The browser of a person who allows everything.
  authorize: async (address) => (await fetch(address, { redirect: "manual" })).headers.get("location") ?? "",
  elicit: ({ message }) =>
    message.startsWith("Please confirm") ? { action: "accept", content: { confirmed: true } } : { action: "accept" },
  bindings: Object.fromEntries(callsOf().map(([, args], index) => [`args-${index}`, args]))
}

/** Their servers have nothing to call: that a name of theirs is asked for is all. */
const callsNothing = ["initialize", "request-metadata", "json-schema-ref-no-deref"].includes(scenario)

const host = await StreamHost.start(options)
try {
  for (const [index, [tool]] of callsOf().entries()) {
    // By its bare name, so that the server is asked what it has first.
    await host.eval(`(call :stream.await (call :mcp.stream.start {:endpoint "${tool}" :config args-${index}}))`)
  }
} catch (error) {
  if (!callsNothing || !/has no tool/.test(String(error))) {
    console.error(String(error), (error as { cause?: unknown }).cause)
    process.exitCode = 1
  }
} finally {
  await host.stop({ timeout: 1000 })
}
