import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.time.ZoneId;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.UUID;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/** EOP 签名(手册 6.2.3)。The headers of a signed request without a query. */
final class Signing {
    private static final DateTimeFormatter EOP_DATE = DateTimeFormatter.ofPattern("yyyyMMdd'T'HHmmss'Z'");

    private Signing() {}

    static Map<String, String> headers(String ak, String sk, String appkey, byte[] body)
            throws GeneralSecurityException {
        String requestId = UUID.randomUUID().toString();
        String date = ZonedDateTime.now(ZoneId.of("Asia/Shanghai")).format(EOP_DATE);
        String canonical = "ctyun-eop-request-id:" + requestId + "\neop-date:" + date + "\n"
                + "\n" // no query
                + "\n" + hex(MessageDigest.getInstance("SHA-256").digest(body));
        byte[] time = hmac(sk.getBytes(StandardCharsets.UTF_8), date);
        byte[] day = hmac(hmac(time, ak), date.substring(0, 8));
        String signature = Base64.getEncoder().encodeToString(hmac(day, canonical));

        Map<String, String> headers = new LinkedHashMap<>();
        headers.put("Content-Type", "application/json");
        headers.put("appkey", appkey);
        headers.put("ctyun-eop-request-id", requestId);
        headers.put("eop-date", date);
        headers.put("Eop-Authorization",
                ak + " Headers=ctyun-eop-request-id;eop-date Signature=" + signature);
        return headers;
    }

    private static byte[] hmac(byte[] key, String text) throws GeneralSecurityException {
        Mac mac = Mac.getInstance("HmacSHA256");
        mac.init(new SecretKeySpec(key, "HmacSHA256"));
        return mac.doFinal(text.getBytes(StandardCharsets.UTF_8));
    }

    private static String hex(byte[] data) {
        StringBuilder out = new StringBuilder();
        for (byte b : data) {
            out.append(String.format("%02x", b));
        }
        return out.toString();
    }
}
