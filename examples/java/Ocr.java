import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * 命令行示例。Reads one picture and prints the service's JSON.
 *
 * <pre>java -cp bcprov.jar:. Ocr general|idcard|plate|licence FILE [--sealed]</pre>
 *
 * Environment: BASE_URL, AK, SK, APPKEY, and ENCKEY for --sealed.
 */
public final class Ocr {
    private static final Map<String, String> PATHS = Map.of(
            "general", "/v1/aiop/api/2f3p1pnxpqm8/ocrdetect/ocr/v1/image.json",
            "idcard", "/v1/aiop/api/2f3os7qq79xc/IdentityCard/ocr/v1/idcard.json",
            "plate", "/v1/aiop/api/2gt54ed8660w/driven-plate-ocr/platelicense.json",
            "licence", "/v1/aiop/api/2k8jo3ghhjwg/businesslicense/ocr/v1/BusinessLicense.json");

    /** A statusCode other than 0, as a number or as text. */
    private static final Pattern ERROR =
            Pattern.compile("\\A\\s*\\{\\s*\"statusCode\"\\s*:\\s*(?:-?[1-9]\\d*|\"CTAPI_\\d+\")\\s*[,}]");

    public static void main(String[] args) throws Exception {
        boolean sealed = args.length == 3 && args[2].equals("--sealed");
        if (args.length < 2 || args.length > 3 || (args.length == 3 && !sealed) || !PATHS.containsKey(args[0])) {
            System.err.println("usage: Ocr general|idcard|plate|licence FILE [--sealed]");
            System.exit(2);
        }
        String image = Base64.getEncoder().encodeToString(Files.readAllBytes(Path.of(args[1])));
        String plain = args[0].equals("licence")
                ? "{\"Action\":\"BusinessCardOCR\",\"ImageData\":\"" + image + "\"}"
                : "{\"data\":[\"" + image + "\"]}";

        Sealing sealing = sealed ? new Sealing() : null;
        String body = sealed ? json(sealing.seal(variable("ENCKEY"), plain)) : plain;
        String answer = post(PATHS.get(args[0]), body, sealed);
        // Errors are sent in plain text with a statusCode; encrypted answers have none (manual 6.2.4, 2.6).
        if (sealed && field(answer, "encryptedResult") != null) {
            answer = sealing.open(field(answer, "encryptedResult"), field(answer, "encryptedResultHash"));
        } else if (sealed && !ERROR.matcher(answer).find()) {
            System.err.println("neither a sealed answer nor an error: not from the service");
            System.exit(1);
        }
        System.out.write((answer + "\n").getBytes(StandardCharsets.UTF_8));
        System.out.flush();
    }

    private static String post(String path, String body, boolean sealed) throws Exception {
        byte[] bytes = body.getBytes(StandardCharsets.UTF_8);
        HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(variable("BASE_URL") + path))
                .POST(HttpRequest.BodyPublishers.ofByteArray(bytes));
        Signing.headers(variable("AK"), variable("SK"), variable("APPKEY"), bytes).forEach(request::header);
        if (sealed) {
            request.header("decrypted", "true");
        }
        HttpClient client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
        return client.send(request.build(), HttpResponse.BodyHandlers.ofString(StandardCharsets.UTF_8)).body();
    }

    /** Base64 needs no escapes, so neither writing nor reading these flat objects needs a JSON library. */
    private static String json(Map<String, String> fields) {
        return fields.entrySet().stream()
                .map(e -> "\"" + e.getKey() + "\":\"" + e.getValue() + "\"")
                .collect(Collectors.joining(",", "{", "}"));
    }

    private static String field(String json, String name) {
        Matcher matcher = Pattern.compile("\"" + name + "\"\\s*:\\s*\"([^\"]*)\"").matcher(json);
        return matcher.find() ? matcher.group(1) : null;
    }

    private static String variable(String name) {
        String value = System.getenv(name);
        if (value == null || value.isEmpty()) {
            System.err.println("set " + name);
            System.exit(2);
        }
        return value;
    }
}
