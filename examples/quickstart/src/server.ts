import { createServer, IncomingMessage, ServerResponse } from "node:http";
import { Links } from "./links.js";

const port = Number(process.env.PORT ?? 8080);
const token = process.env.SHORT_LINKS_TOKEN;
const links = new Links();

function send(response: ServerResponse, status: number, body?: object): void {
	response.writeHead(status, { "content-type": "application/json" });
	response.end(body && JSON.stringify(body));
}

async function readJson(request: IncomingMessage): Promise<{ url?: unknown }> {
	let text = "";
	for await (const chunk of request) {
		text += chunk;
	}
	return JSON.parse(text);
}

/** Who may add and remove links; everyone may follow them. */
function isAllowed(request: IncomingMessage): boolean {
	return token === undefined || request.headers.authorization === `Bearer ${token}`;
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
	const [, first, id] = (request.url ?? "/").split("/");

	if (first === "links" && !isAllowed(request)) {
		send(response, 401, { error: "unauthorized" });
	} else if (request.method === "POST" && first === "links") {
		const { url } = await readJson(request);
		send(response, 201, links.add(String(url)));
	} else if (request.method === "GET" && first === "links") {
		const link = links.get(id);
		send(response, link ? 200 : 404, link ?? { error: "not_found" });
	} else if (request.method === "DELETE" && first === "links") {
		send(response, links.remove(id) ? 204 : 404);
	} else {
		const link = links.follow(first);
		response.writeHead(link ? 302 : 404, link && { location: link.url });
		response.end();
	}
}

createServer((request, response) => {
	answer(request, response).catch((error) => {
		const isInput = error instanceof RangeError || error instanceof SyntaxError;
		send(response, isInput ? 400 : 500, { error: isInput ? error.message : "internal" });
	});
}).listen(port);
