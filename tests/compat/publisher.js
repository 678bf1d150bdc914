// Calls npm's pusher. Stdin: a line of JSON {options, method, args}; stdout: a line with the outcome.
const readline = require("node:readline")
const Pusher = require("pusher")

async function outcome({ options, method, args }) {
  try {
    const pusher = new Pusher(options)
    if (method === "webhook") return webhook(pusher.webhook(...args))
    const answer = await pusher[method](...args)
    // What was sent gives an HTTP response; what was only signed, an object.
    return { result: typeof answer.json === "function" ? await answer.json() : answer }
  } catch (error) {
    return { error: error.message, status: error.status, body: error.body }
  }
}

function webhook(webhook) {
  return { result: { valid: webhook.isValid(), events: webhook.isBodyValid() ? webhook.getEvents() : [] } }
}

readline
  .createInterface({ input: process.stdin })
  .on("line", async (line) => console.log(JSON.stringify(await outcome(JSON.parse(line)))))
