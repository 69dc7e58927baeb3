// Lists servers with net/http, as programs do: no Content-Type.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
)

func main() {
	request, err := http.NewRequest("GET", os.Getenv("GW")+"/api/v1/servers", nil)
	if err != nil {
		panic(err)
	}
	request.Header.Set("Authorization", "Bearer "+os.Getenv("PIORA_API_TOKEN"))
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		panic(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		panic(err)
	}
	out, err := json.Marshal(map[string]any{"status": response.StatusCode, "body": json.RawMessage(text)})
	if err != nil {
		panic(err)
	}
	fmt.Println(string(out))
}
