package nextclick;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import javax.security.sasl.AuthenticationException;
import org.apache.hive.service.auth.PasswdAuthenticationProvider;

/** Lets in who brings the one password, whatever the name. */
public class OnePassword implements PasswdAuthenticationProvider {
    /** SHA-256 of the password. */
    public static volatile byte[] digest;

    public void Authenticate(String user, String password) throws AuthenticationException {
        byte[] brought;
        try {
            brought = MessageDigest.getInstance("SHA-256").digest(password.getBytes(StandardCharsets.UTF_8));
        } catch (java.security.NoSuchAlgorithmException impossible) {
            throw new IllegalStateException(impossible);
        }
        if (digest == null || !MessageDigest.isEqual(brought, digest)) {
            throw new AuthenticationException("Wrong password: `nextclick bi` prints it, or it is bi.password of the settings.");
        }
    }
}
