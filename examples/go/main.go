// 命令行示例,只用标准库。 Reads one image and prints the service's JSON; standard library only.
//
//	go run . general|idcard|plate|licence FILE
//
// Environment: BASE_URL, AK, SK, APPKEY.
package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

var paths = map[string]string{
	"general": "/v1/aiop/api/2f3p1pnxpqm8/ocrdetect/ocr/v1/image.json",
	"idcard":  "/v1/aiop/api/2f3os7qq79xc/IdentityCard/ocr/v1/idcard.json",
	"plate":   "/v1/aiop/api/2gt54ed8660w/driven-plate-ocr/platelicense.json",
	"licence": "/v1/aiop/api/2k8jo3ghhjwg/businesslicense/ocr/v1/BusinessLicense.json",
}

func keyed(key []byte, text string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	return mac.Sum(nil)
}

// sign sets the headers of the EOP signature (manual 6.2.3) for a request without a query.
func sign(header http.Header, ak, sk, appkey string, body []byte) error {
	random := make([]byte, 16)
	if _, err := rand.Read(random); err != nil {
		return err
	}
	requestID := hex.EncodeToString(random)
	date := time.Now().In(time.FixedZone("Beijing", 8*3600)).Format("20060102T150405Z")
	digest := sha256.Sum256(body)
	canonical := "ctyun-eop-request-id:" + requestID + "\neop-date:" + date + "\n\n\n" + hex.EncodeToString(digest[:])
	key := keyed(keyed(keyed([]byte(sk), date), ak), date[:8])
	signature := base64.StdEncoding.EncodeToString(keyed(key, canonical))

	header.Set("Content-Type", "application/json")
	header.Set("appkey", appkey)
	header.Set("ctyun-eop-request-id", requestID)
	header.Set("eop-date", date)
	header.Set("Eop-Authorization", ak+" Headers=ctyun-eop-request-id;eop-date Signature="+signature)
	return nil
}

func run(capability, file string) error {
	picture, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	text := base64.URLEncoding.EncodeToString(picture)
	var document any = map[string]any{"data": []string{text}}
	if capability == "licence" {
		document = map[string]any{"Action": "BusinessCardOCR", "ImageData": text}
	}
	body, err := json.Marshal(document)
	if err != nil {
		return err
	}
	request, err := http.NewRequest(http.MethodPost, os.Getenv("BASE_URL")+paths[capability], bytes.NewReader(body))
	if err != nil {
		return err
	}
	if err := sign(request.Header, os.Getenv("AK"), os.Getenv("SK"), os.Getenv("APPKEY"), body); err != nil {
		return err
	}
	client := http.Client{Timeout: 75 * time.Second}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	_, err = io.Copy(os.Stdout, response.Body)
	fmt.Println()
	return err
}

func main() {
	if len(os.Args) != 3 || paths[os.Args[1]] == "" {
		fmt.Fprintln(os.Stderr, "usage: go run . general|idcard|plate|licence FILE")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
