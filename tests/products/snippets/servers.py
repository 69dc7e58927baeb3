"""Lists servers with requests, as scripts do."""
import json
import os

import requests

response = requests.get(
    f"{os.environ['GW']}/api/v1/servers",
    headers={"Authorization": f"Bearer {os.environ['PIORA_API_TOKEN']}"},
    timeout=20,
)
print(json.dumps({"status": response.status_code, "body": response.json()}))
