import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.time.ZoneId;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.util.Base64;
import java.util.HexFormat;
import java.util.UUID;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/** A client as it is written for the cloud, in one file: java CloudClient.java FILE; environment: AK, SK, APPKEY. */
public final class CloudClient {
    private static final String URL =
            "https://ai-global.ctapi.ctyun.cn/v1/aiop/api/2f3p1pnxpqm8/ocrdetect/ocr/v1/image.json";

    public static void main(String[] args) throws Exception {
        String ak = System.getenv("AK");
        String image = Base64.getEncoder().encodeToString(Files.readAllBytes(Path.of(args[0])));
        byte[] body = ("{\"data\": [\"" + image + "\"]}").getBytes(StandardCharsets.UTF_8);
        String date = ZonedDateTime.now(ZoneId.of("Asia/Shanghai"))
                .format(DateTimeFormatter.ofPattern("yyyyMMdd'T'HHmmss'Z'"));
        String id = UUID.randomUUID().toString();
        String hash = HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(body));
        String text = "ctyun-eop-request-id:" + id + "\neop-date:" + date + "\n\n\n" + hash;
        byte[] key = mac(System.getenv("SK").getBytes(StandardCharsets.UTF_8), date);
        key = mac(mac(key, ak), date.substring(0, 8));
        String signature = Base64.getEncoder().encodeToString(mac(key, text));
        HttpRequest request = HttpRequest.newBuilder(URI.create(URL))
                .header("Content-Type", "application/json")
                .header("appkey", System.getenv("APPKEY"))
                .header("ctyun-eop-request-id", id)
                .header("eop-date", date)
                .header("Eop-Authorization",
                        ak + " Headers=ctyun-eop-request-id;eop-date Signature=" + signature)
                .POST(HttpRequest.BodyPublishers.ofByteArray(body))
                .build();
        System.out.println(HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString()).body());
    }

    private static byte[] mac(byte[] key, String text) throws Exception {
        Mac mac = Mac.getInstance("HmacSHA256");
        mac.init(new SecretKeySpec(key, "HmacSHA256"));
        return mac.doFinal(text.getBytes(StandardCharsets.UTF_8));
    }
}
