// Lists servers with Node's own fetch, as scripts do: a Content-Type, and no body.
const response = await fetch(`${process.env.GW}/api/v1/servers`, {
  method: 'GET',
  headers: {
    Authorization: `Bearer ${process.env.PIORA_API_TOKEN}`,
    'Content-Type': 'application/json',
  },
});
console.log(JSON.stringify({ status: response.status, body: await response.json() }));
